"use strict";
// Follows a job: its events come one by one, and the page is read again when it has ended. Text is only ever text.
for (const place of document.querySelectorAll("[data-events]")) {
  const line = place.querySelector("[data-line]"), lines = place.querySelector("[data-lines]");
  const bar = place.querySelector("progress"), source = new EventSource(place.dataset.events);
  source.addEventListener("progress", event => {
    const told = JSON.parse(event.data);
    if (typeof told.share === "number") bar.value = told.share;
    else bar.removeAttribute("value");
    const share = typeof told.share === "number" ? `, ${Math.round(100 * told.share)}%` : "";
    line.textContent = told.said + share;
    if (told.stage) {
      const one = document.createElement("li");
      one.textContent = told.said;
      lines.append(one);
    }
  });
  // it comes again by itself but where it was refused: the session may have ended, or the job is not there any more
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 2000);
  });
  for (const end of ["done", "failed", "cancelled"])
    source.addEventListener(end, () => { source.close(); location.reload(); });
}
