// Gives sliders the name and the value that their label and their number show.
// ipywidgets gives the handle neither: a screen reader would say "slider, -2",
// which is the power of ten of a logarithmic slider.

const OUTPUT = ".jp-OutputArea-output, .output_area, .jupyter-widgets-view";

function mirror(slider) {
  const handle = slider.querySelector(".noUi-handle");
  const label = slider.querySelector(".widget-label");
  const readout = slider.querySelector(".widget-readout");
  if (!handle || !label) return false;
  const tell = () => {
    set(handle, "aria-label", label.textContent);
    if (!readout) return;
    set(readout, "aria-label", `${label.textContent}, exact`);
    set(readout, "role", "textbox");
    set(handle, "aria-valuetext", readout.textContent);
  };
  tell();
  const watch = new MutationObserver(tell);
  watch.observe(slider, { subtree: true, childList: true, characterData: true,
    attributeFilter: ["aria-valuetext"] });
  return true;
}

// Only what is different, or the observer would call itself for ever.
function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function render({ el }) {
  const done = new WeakSet();
  let root = null;
  const look = () => {
    for (const slider of root.querySelectorAll(".widget-slider")) {
      if (!done.has(slider) && mirror(slider)) done.add(slider);
    }
  };
  const watch = new MutationObserver(look);
  const begin = () => {
    if (!el.isConnected) return void (frame = requestAnimationFrame(begin));
    root = el.closest(OUTPUT) ?? document.body;
    watch.observe(root, { subtree: true, childList: true });
    look();
  };
  let frame = requestAnimationFrame(begin);
  return () => {
    cancelAnimationFrame(frame);
    watch.disconnect();
  };
}

export default { render };
