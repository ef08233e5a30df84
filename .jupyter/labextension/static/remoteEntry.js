// JupyterLab draws a PNG without its alternative text, although the notebook has
// it: in the output's metadata, where IPython's Image(alt=...) puts it. This gives
// it to the picture. A prebuilt extension is a container of one module, by hand.

const NAME = "srlab-alt-text";
const RENDERMIME = "@jupyterlab/rendermime";
const RANK = 90; // as JupyterLab's own, which it replaces
let shared = {};

async function extension() {
  const { IRenderMimeRegistry, RenderedImage } = await load(RENDERMIME);

  class ImageWithWords extends RenderedImage {
    async renderModel(model) {
      await super.renderModel(model);
      const words = model.metadata[this.mimeType]?.alt;
      const image = this.node.querySelector("img");
      if (image && words) image.alt = words;
    }
  }

  const plugin = {
    id: `${NAME}:plugin`,
    autoStart: true,
    requires: [IRenderMimeRegistry],
    activate: (_app, registry) => registry.addFactory({
      safe: true,
      mimeTypes: ["image/png", "image/jpeg"],
      createRenderer: options => new ImageWithWords(options),
    }, RANK),
  };
  return () => ({ __esModule: true, default: plugin });
}

// What JupyterLab has loaded itself, so that it is the same class and the same token.
async function load(name) {
  const [version] = Object.values(shared[name]);
  return (await version.get())();
}

window._JUPYTERLAB = window._JUPYTERLAB ?? {};
window._JUPYTERLAB[NAME] = {
  init: scope => { shared = scope; },
  get: extension,
};
