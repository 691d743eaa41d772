// questions_net: what the tabs ask that show a whole network: Network, Backward, Training, Edit.

import { DATA } from "../base/data.js";
import { brief, sum } from "../base/numbers.js";
import { no, TOY, yes } from "./answers.js";

export function networkQuestions() {
  const seen = DATA.model.layers.filter((layer) => layer.field).at(-1);
  const weights = (kind) =>
    sum(DATA.model.layers.filter((layer) => layer.kind === kind).map((layer) => layer.parameters));
  const [dense, all] = [weights("linear"), weights("linear") + weights("conv2d")];
  const share = `${brief((100 * dense) / all)} % of the weights are in the dense layers`;
  const where =
    "A convolution uses its few weights again at every place of the image; a dense layer has one for every pair of numbers.";
  const dependence = {
    ask: "A pixel outside a number’s receptive field changes. How does the number change?",
    answers: [
      yes("not at all"),
      no("a little", "There is no path from that pixel to the number, so not even a little."),
      no("it depends on the weights", "No weight leads from there to here, whatever the others are."),
    ],
    because:
      "That is what the field says: outside it the gradient is exactly 0. Choose a number and look at both figures.",
  };
  return [
    seen ? fieldQuestion(seen) : linearQuestion(),
    dependence,
    {
      ask: "Where are most of the network’s weights?",
      answers: [
        {
          text: "in the convolutions",
          right: dense * 2 < all,
          reply: dense * 2 < all ? "" : "Kernels are small, and used again everywhere.",
        },
        {
          text: "in the dense layers",
          right: dense * 2 >= all,
          reply: dense * 2 >= all ? "" : "This network has few of them.",
        },
      ],
      because: `${share}. ${where} The table below has all numbers.`,
    },
  ];
}

function linearQuestion() {
  return {
    ask: "How much of the image can one number of the first linear layer depend on?",
    answers: [no("one pixel", "A linear layer has a weight for each of its inputs."), yes("all of it")],
    because: "All of it: a linear layer has a weight for every pixel. A convolution would see only a window.",
  };
}

function fieldQuestion(seen) {
  const [size] = seen.field.size;
  const [kernel] = seen.options.kernel_size ?? [1];
  const image = DATA.model.layers[0].shape_in.at(-1);
  const go = {
    unit: `${seen.label}:0.${seen.shape_out
      .slice(1)
      .map((n) => Math.floor(n / 2))
      .join(".")}`,
  };
  const own = no(
    `${kernel} × ${kernel}`,
    "That is its own window on the layer before; but each number there has a window, too.",
    go,
  );
  const whole =
    size >= image
      ? yes("all of it", go)
      : no("all of it", "Only what lies under its window, and under the windows of what it sees.", go);
  return {
    ask: `One number of ${seen.label}: how much of the ${image} × ${image} image can it depend on?`,
    answers: [...(kernel === size ? [] : [own]), { ...yes(`${size} × ${size}`, go) }, whole],
    because: `${size} × ${size}: each layer widens what the one before could see. That is its receptive field. Which of these pixels it cares about is another question, and the gradient answers it. Click any number below.`,
  };
}

export function backwardQuestions() {
  const [last, loss, proof] = [{ part: 3, ...TOY, i: 5, j: 5 }, { part: 1 }, { part: 5 }];
  return [
    {
      ask: "im2col copies pixels into columns; on the way back, col2im adds columns into pixels. Does col2im undo im2col?",
      answers: [
        no("yes, it is the inverse", "An inverse would give x back; look at the last step of this tab.", proof),
        yes("no, it is the adjoint", proof),
      ],
      because:
        "It is the adjoint: a pixel that was copied into nine windows gets nine gradients back, and their sum is what the chain rule asks for. So col2im(im2col(x)) is x times the number of windows over each pixel.",
    },
    {
      ask: "The softmax gives the right class the probability 0.7. What is the gradient of that class’s logit?",
      answers: [
        no("0.7", "That is p; the truth y = 1 is still to be taken away.", loss),
        no("0.3", "The size is right, but p − y is negative: this logit is to be raised.", loss),
        yes("−0.3", loss),
      ],
      because:
        "p − y = 0.7 − 1 = −0.3. Going against the gradient raises the logit of the right class and lowers all others.",
    },
    {
      ask: "One weight of a kernel is used in every window. Its gradient is …",
      answers: [
        yes("the sum over all windows", last),
        no("that of the last window", "That is what a program gives that writes = where += belongs.", last),
        no("their mean", "A loss may be a mean over images; within one image the shares add up.", last),
      ],
      because: "Each use changes the loss by its own share, and shares add: dw += dy · window, window after window.",
    },
  ];
}

export function trainingQuestions() {
  const classes = DATA.classes.length;
  const start = Math.log(classes).toFixed(3);
  return [
    {
      ask: `Before it has learnt anything, a network with ${classes} classes has a loss of about ${start}. Where does this number come from?`,
      answers: [
        no("from the random weights", "They shift it a little; but most random networks start near this number."),
        yes(`it is −ln(1/${classes}): every class is as likely`),
        no("from the learning rate", "Nothing has been learnt yet, so no rate has been used."),
      ],
      because: `A network that knows nothing gives every class the probability 1/${classes}, and the loss is minus its logarithm. A loss that stays there means: still guessing. Sigmoid networks often do for a while, then all at once they do not.`,
    },
    {
      ask: "The loss on the training images goes on falling, that on the test images begins to rise. What happens?",
      answers: [
        yes("it learns the training images by heart"),
        no("the learning rate is too small", "Then both would fall, slowly."),
        no("it is still guessing", "Then neither would fall."),
      ],
      because:
        "It is overfitting: what it learns now helps only with images that it has seen. That is why test images are kept apart.",
    },
    {
      ask: "Some classes are confused far more often than others. Why?",
      answers: [
        no("there are fewer images of them", "Each class has about as many: look at the sums of the rows."),
        yes("their garments look alike"),
        no("they stand side by side in the list", "The order of the classes means nothing to the network."),
      ],
      because:
        "The first layers see outlines and textures, and a shirt’s are nearly a pullover’s. The worst cell is framed; its images are beside it.",
    },
  ];
}

export function editQuestions() {
  return [
    {
      ask: "Shift the garment by two pixels. What moves along by exactly two pixels?",
      answers: [
        yes("the maps of the first convolution", { moves: "x2" }),
        no("the probabilities", "They have no place that could move; they change in size, as far as they do.", {
          moves: "x2",
        }),
        no("both", "The maps do; the probabilities have no place. They may change, and need not.", { moves: "x2" }),
      ],
      because:
        "Convolution is equivariant: the same numbers, elsewhere. The dense layers are not: to them every place has weights of its own, so the probabilities change, and not always for the better.",
    },
    {
      ask: "Turn the garment by 90°. Do the first maps turn along, the same numbers elsewhere?",
      answers: [
        no("yes, as with a shift", "A kernel slides, but it never turns with the image.", { moves: "r90" }),
        yes("no", { moves: "r90" }),
      ],
      because:
        "What answered to upright edges meets level ones now. Convolution follows shifts and nothing else; the rest must be learnt.",
    },
    {
      ask: "Erase everything and scribble. What do the ten probabilities add up to?",
      answers: [
        no("about 0: it is no garment", "There is no answer “none of these”: softmax shares out all of it."),
        yes("1, as always"),
        no("less than 1", "Softmax divides by the sum of all exponentials, so the sum is always 1."),
      ],
      because:
        "A softmax must decide among its classes. A sure answer says nothing about whether the picture is one of them at all.",
    },
  ];
}
