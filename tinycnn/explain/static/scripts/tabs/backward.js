// tab "Backward": from the loss through the layers into the kernel and back to the pixels.

import { lead } from "../widgets/question.js";
import { kernelSection } from "./backward_kernel.js";
import { flowSection, lossSection } from "./backward_loss.js";
import { adjointSection, checkSection } from "./backward_proof.js";

export const backwardTab = {
  id: "backward",
  name: "Backward",
  lead: (number) =>
    lead(
      number,
      "im2col copies pixels into columns; on the way back, col2im adds columns into pixels. Does col2im undo im2col?",
      [
        ["yes, it is the inverse", false],
        ["no, it is the adjoint", true],
      ],
      () =>
        "It is the adjoint: a pixel that was copied into nine windows gets nine gradients back, and their sum is what the chain rule asks for. So col2im(im2col(x)) is x times the number of windows over each pixel, as the last figure shows.",
    ),

  build(stage, say) {
    const sections = [lossSection(), flowSection(), kernelSection(say), adjointSection(), checkSection()];
    stage.append(...sections.filter(Boolean).map(({ root }) => root));
    return () => sections.forEach((one) => one?.update?.());
  },
};
