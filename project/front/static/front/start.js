// A classic script, for browsers that know no modules or no import maps: by the time of `load` the
// modules have run, and what they draw has replaced this message.
addEventListener("load", function () {
  var message = document.getElementById("not-started");
  if (message) message.hidden = false;
});
