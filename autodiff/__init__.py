"""Numbers in, graph out, gradients back: a small autograd engine made for reading.

>>> from autodiff import Value
>>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
>>> y = (a * b + 10).tanh()
>>> y.backward()
>>> print(f"{y:.4f} {a.grad:.4f} {b.grad:.4f}")
0.9993 -0.0040 0.0027
"""

from autodiff.anomaly import detect_anomaly
from autodiff.backprop import gradients
from autodiff.check import check_gradients
from autodiff.context import enable_grad, no_grad, observe, scope
from autodiff.errors import AnomalyError, AutodiffError, ExactError, GradientMismatchError, GraphError
from autodiff.explanation import Explanation, explain
from autodiff.graph import Node
from autodiff.primitives.elementwise import (
    abs,
    add,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    ceil,
    clip,
    cos,
    cosh,
    divide,
    elu,
    erf,
    erfc,
    exp,
    exp2,
    expm1,
    floor,
    gelu,
    gelu_tanh,
    hypot,
    identity,
    is_positive,
    leaky_relu,
    log,
    log1p,
    log2,
    log10,
    log_sigmoid,
    logaddexp,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    reciprocal,
    relu,
    round,
    selu,
    sigmoid,
    sign,
    silu,
    sin,
    sinh,
    softplus,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    where,
    wins,
)
from autodiff.primitives.linalg import (
    cholesky,
    det,
    dot,
    einsum,
    inner,
    inv,
    logabsdet,
    matmul,
    outer,
    slogdet,
    solve,
    tensordot,
)
from autodiff.primitives.reductions import (
    cumprod,
    cumsum,
    log_softmax,
    logsumexp,
    max,
    mean,
    min,
    norm,
    prod,
    softmax,
    std,
    sum,
    var,
)
from autodiff.primitives.row import TABLE, Primitive, primitive
from autodiff.primitives.shapes import (
    astype,
    broadcast_to,
    concatenate,
    diagonal,
    expand_dims,
    flip,
    moveaxis,
    pad,
    put,
    ravel,
    repeat,
    reshape,
    roll,
    scatter,
    scatter_add,
    sort,
    split,
    squeeze,
    stack,
    swapaxes,
    take,
    take_along_axis,
    tile,
    trace,
    transpose,
    tril,
    triu,
)
from autodiff.primitives.windows import fold_windows, sliding_windows
from autodiff.tensor import Tensor
from autodiff.transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from autodiff.value import Value
