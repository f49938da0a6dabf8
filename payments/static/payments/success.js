// Shows how the payment stands, and asks until it is settled: often at first, then ever more seldom.
"use strict";

const state = document.getElementById("state");
const SETTLED = new Set(["paid", "failed", "expired", "cancelled", "refunded"]);

function show(status) {
  state.dataset.status = status;
  for (const text of state.querySelectorAll("[data-for]")) {
    text.hidden = text.dataset.for !== status;
  }
}

async function ask(pause) {
  try {
    const response = await fetch(state.dataset.source, { headers: { Accept: "application/json" } });
    // Too many questions are answered with what is known, too.
    if (response.ok || response.status === 429) {
      show((await response.json()).status);
    }
  } catch {
    // Offline for the moment: the next question may get through.
  }
  if (!SETTLED.has(state.dataset.status)) {
    setTimeout(ask, pause, Math.min(pause * 1.5, 30000));
  }
}

show(state.dataset.status);
if (!SETTLED.has(state.dataset.status)) {
  ask(1000);
}
