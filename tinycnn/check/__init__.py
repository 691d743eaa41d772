"""check: the lessons' exercises looked through: is it right, and if not, what should be looked at again?

    tinycnn.check.lesson3(one_map)          # a Verdict, whose text names the mistake and keeps the answer to itself

Each function takes what its `# your code` cell makes: numbers, or a function that is run on small problems.  What came
out is compared with what the usual mistakes would give, as `tinycnn.grading` does it for a whole convolution.

    tinycnn.check.language("vi")            # from now on verdicts, and the grader's reports, are printed in Vietnamese

Read in this order: verdict, hand (answers that are numbers), forward and learning (answers that are functions).
"""

from tinycnn.check.forward import lesson2, lesson3, lesson4, lesson5, lesson5_mean
from tinycnn.check.hand import lesson1, lesson1_by_hand, lesson2_halves, lesson3_weight, lesson6_inverse, lesson8_dense
from tinycnn.check.learning import lesson6, lesson7, lesson8, lesson9, lesson10
from tinycnn.check.verdict import Verdict
from tinycnn.grading.language import language

__all__ = [
    "Verdict",
    "language",
    "lesson1",
    "lesson10",
    "lesson1_by_hand",
    "lesson2",
    "lesson2_halves",
    "lesson3",
    "lesson3_weight",
    "lesson4",
    "lesson5",
    "lesson5_mean",
    "lesson6",
    "lesson6_inverse",
    "lesson7",
    "lesson8",
    "lesson8_dense",
    "lesson9",
]
