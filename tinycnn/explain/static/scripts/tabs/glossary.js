// glossary: the words of the page, each in a sentence.

export const GLOSSARY = [
  ["channel", "one of the grids of numbers that an image or a layer’s output is made of; a grey image has one."],
  ["window", "the part of the image under a kernel at one place; each makes one number of the output."],
  ["kernel", "a small grid of weights that slides over one channel."],
  ["filter", "one kernel for every input channel, and a bias: what makes one output map."],
  ["bias", "one number per filter that is added to every sum."],
  ["map", "the grid of numbers that a filter makes: one output channel."],
  ["stride", "how many pixels the window moves at a time."],
  ["padding", "a frame of zeros around the image, which makes room for more windows."],
  ["dilation", "how far the pixels of a window stand apart; 1 is side by side."],
  ["receptive field", "the part of the image that a number deep in the network can depend on."],
  ["activation", "a function that is applied to every number by itself, such as ReLU: below 0 it gives 0."],
  ["pooling", "takes each small window’s mean or maximum: a smaller map."],
  ["logits", "the last numbers of the network, one per class; softmax makes probabilities of them."],
  ["loss", "how wrong the network is: minus the logarithm of the right class’s probability."],
  ["gradient", "how much the loss changes when a number grows a little: its slope. Of t it is called dt."],
  ["im2col, col2im", "windows into columns, and columns added back into an image."],
  ["indices", "rows, columns, channels and filters are counted from 0, as in the code."],
];
