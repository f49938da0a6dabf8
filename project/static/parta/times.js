// Says what time it is for a reader whose clock shows another one than the school's: once on each page,
// and beside each time of a row. In tables that would be too much.

const line = document.getElementById("parta-zone");
const { zone: timeZone, now, own } = line.dataset;
const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const DAY = { day: "numeric", month: "long" };

function written(moment, options) {
  return new Intl.DateTimeFormat(document.documentElement.lang, options).format(moment);
}

// With the day, if that is another one, too; nothing, if both clocks show the same.
function ownTime(moment) {
  const isOther = (options) =>
    written(moment, options) !== written(moment, { ...options, timeZone });
  if (isOther(DAY)) return written(moment, { ...DAY, ...CLOCK });
  return isOther(CLOCK) ? written(moment, CLOCK) : "";
}

function addBeside(element, text) {
  const said = document.createElement("span");
  said.className = "parta-own-time text-subtle";
  said.textContent = ` · ${text}`;
  element.after(said);
}

for (const time of document.querySelectorAll("time[datetime*=T]")) {
  const text = time.closest("table") ? "" : ownTime(new Date(time.dateTime));
  if (text) addBeside(time, own.replace("TIME", text));
}
const present = new Date();
if (ownTime(present)) {
  const there = written(present, { ...CLOCK, timeZone });
  addBeside(line.firstElementChild, now.replace("SCHOOL", there).replace("OWN", ownTime(present)));
  // Before all times, where it is read.
  line.classList.add("is-other");
}
