// The bundle: every lab's view by name, drawn for the widget that names it.

import "../css/kit.css";
import { checkerboard } from "../../checkerboard_lab/view.js";
import { compare } from "../../compare/view.js";
import { photoDesk } from "../../photo_desk/view.js";
import { quiz } from "../../quiz/view.js";
import { gallery } from "./gallery.js";
import { Lab } from "./lab.js";

const VIEWS = { checkerboard, compare, gallery, photo_desk: photoDesk, quiz };

function render({ model, el }) {
  const lab = new Lab(model, el, VIEWS[model.get("view")]);
  return () => lab.remove();
}

export default { render };
