// The page that shows recovery codes once: to the clipboard, or onto paper.

const codes = [...document.querySelectorAll("#recovery-codes li")].map((code) => code.textContent);

document.querySelector("[name=copy]").addEventListener("click", async () => {
  await navigator.clipboard.writeText(codes.join("\n"));
  const said = document.getElementById("parta-copied");
  said.textContent = said.dataset.text;
});
document.querySelector("[name=print]").addEventListener("click", () => window.print());
