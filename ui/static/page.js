// Keeps the live part of the page current; the focus stays on the button that has it.
const live = document.getElementById("live");

if (live) {
  new EventSource(live.dataset.stream).onmessage = (event) => {
    const focused = document.activeElement?.id;
    live.innerHTML = event.data;
    if (focused) document.getElementById(focused)?.focus();
  };
}
