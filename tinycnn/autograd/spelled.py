"""spelled: a tensor's methods that say in a word what an operator says; and what to write for torch's others."""

from typing import Any

from tinycnn.elsewhere import Advising


class Spelled(Advising, place="Tensor"):
    """Methods of Tensor by its own operators, of the shapes that those take."""

    __slots__ = ()

    def pow(self: Any, exponent: Any) -> Any:
        """self ** exponent."""
        return self**exponent

    def matmul(self: Any, other: Any) -> Any:
        """self @ other."""
        return self @ other

    mm = matmul

    def eq(self: Any, other: Any) -> Any:
        """self == other, element by element."""
        return self == other

    def ne(self: Any, other: Any) -> Any:
        """self != other, element by element."""
        return self != other

    def lt(self: Any, other: Any) -> Any:
        """self < other, element by element."""
        return self < other

    def le(self: Any, other: Any) -> Any:
        """self <= other, element by element."""
        return self <= other

    def gt(self: Any, other: Any) -> Any:
        """self > other, element by element."""
        return self > other

    def ge(self: Any, other: Any) -> Any:
        """self >= other, element by element."""
        return self >= other

    def contiguous(self: Any) -> Any:
        """The tensor itself: a function to which memory's order matters sees to that by itself."""
        return self

    def view_as(self: Any, other: Any) -> Any:
        """The same elements in the shape of another tensor."""
        return self.reshape(other.shape)
