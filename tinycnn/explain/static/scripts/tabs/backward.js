// tab "Backward": from the loss through the layers into the kernel and back to the pixels.

import { steps } from "../widgets/stage.js";
import { kernelPart } from "./backward_kernel.js";
import { flowPart, lossPart } from "./backward_loss.js";
import { pixelPart } from "./backward_pixels.js";
import { proofPart } from "./backward_proof.js";
import { backwardQuestions } from "./questions_net.js";

export const backwardTab = {
  id: "backward",
  lesson: "06_backward",
  questions: backwardQuestions,

  build(stage, say) {
    return steps(stage, "part", [lossPart(), flowPart(), kernelPart(say), pixelPart(say), proofPart()], say);
  },
};
