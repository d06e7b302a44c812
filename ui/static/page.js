// Keeps the live part of the page current; the focus stays on the answer to the same place, else on this part.
const live = document.getElementById("live");

if (live) {
  new EventSource(live.dataset.stream).onmessage = (event) => {
    const focused = live.contains(document.activeElement) && document.activeElement.id;
    live.innerHTML = event.data;
    if (focused) (document.getElementById(focused) ?? live).focus();
  };
}
