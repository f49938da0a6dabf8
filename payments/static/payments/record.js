// Proposes the price of what was chosen, and keeps one of course and lesson chosen.
"use strict";

const amount = document.getElementById("id_amount");
const fields = ["course", "lesson"].map((name) => django.jQuery(`#id_${name}`));
// What somebody has typed stays.
let proposed = amount.value;

fields.forEach((field, index) => {
  // Select2 tells of a choice by an event of jQuery's.
  field.on("select2:select", (event) => {
    fields[1 - index].val(null).trigger("change");
    const { price } = event.params.data;
    if (price && amount.value === proposed) {
      amount.value = proposed = price;
    }
  });
});
