// The bundle: every lab's view by name, drawn for the widget that names it.

import "../css/kit.css";
import { checkerboard } from "../../checkerboard_lab/view.js";
import { board } from "../../class_board/view.js";
import { compare } from "../../compare/view.js";
import { skips } from "../../skip_explorer/view.js";
import { gallery } from "./gallery.js";
import { Lab } from "./lab.js";

const VIEWS = { board, checkerboard, compare, skips, gallery };

function render({ model, el }) {
  const lab = new Lab(model, el, VIEWS[model.get("view")]);
  return () => lab.remove();
}

export default { render };
