// The bundle: every lab's view by name, drawn for the widget that names it.

import "../css/kit.css";
import { build } from "../../build/view.js";
import { checkerboard } from "../../checkerboard_lab/view.js";
import { board } from "../../class_board/view.js";
import { compare } from "../../compare/view.js";
import { edges } from "../../edges/view.js";
import { features } from "../../feature_explorer/view.js";
import { growth } from "../../growth/view.js";
import { guess } from "../../guess/view.js";
import { loss } from "../../loss_lab/view.js";
import { metric } from "../../metric_lab/view.js";
import { photoDesk } from "../../photo_desk/view.js";
import { quiz } from "../../quiz/view.js";
import { dial } from "../../residual_dial/view.js";
import { skips } from "../../skip_explorer/view.js";
import { training } from "../../training_lab/view.js";
import { gallery } from "./gallery.js";
import { Lab } from "./lab.js";

const VIEWS = {
  board,
  build,
  checkerboard,
  compare,
  dial,
  edges,
  features,
  gallery,
  growth,
  guess,
  loss,
  metric,
  photo_desk: photoDesk,
  quiz,
  skips,
  training,
};

function render({ model, el }) {
  const lab = new Lab(model, el, VIEWS[model.get("view")]);
  return () => lab.remove();
}

export default { render };
