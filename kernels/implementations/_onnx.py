"""ONNX models in text, whose weights are named and not contained, and their sessions in ONNX Runtime.

Weights are initializers, given by address when a session is made, which packs them for its products; so a step reads
copies of its own, which follow no change, and so does an RNN operator. Inputs and outputs are bound by their addresses:
nothing is copied. Threads do not spin once a call is done, for that would take cores from whatever is timed next.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import onnx.parser
import onnxruntime as ort
from torch import Tensor

from kernels.case import Case
from kernels.contract import Step, Tensors
from kernels.reference.cells import Inputs

Shapes = Mapping[str, tuple[int, ...]]


def version() -> str:
    """ONNX Runtime's version."""
    return f"onnxruntime {ort.__version__}"


def session(
    case: Case, takes: Shapes, gives: Shapes, body: str, weights: Mapping[str, Tensor]
) -> ort.InferenceSession:
    """A session on the case's threads: a float32 model of this body, in ONNX's own text syntax, with these weights.

    A model that holds its weights may not exceed 2 GiB.
    """

    def told(shapes: Shapes) -> str:
        return ", ".join(f"float[{','.join(map(str, s))}] {name}" for name, s in shapes.items())

    model = onnx.parser.parse_model(
        f'<ir_version: 9, opset_import: ["" : 18]> step ({told(takes)}) => ({told(gives)}) {{ {body} }}'
    )
    for name, tensor in weights.items():
        weight = model.graph.initializer.add(
            name=name,
            dims=tensor.shape,
            data_type=onnx.TensorProto.FLOAT,
            data_location=onnx.TensorProto.EXTERNAL,
        )
        weight.external_data.add(key="location", value="given when the session is made")
    options = ort.SessionOptions()
    options.intra_op_num_threads = case.threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    values = [ort.OrtValue.ortvalue_from_numpy(tensor.numpy()) for tensor in weights.values()]
    options.add_external_initializers(list(weights), values)
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def bound(session: ort.InferenceSession, given: Inputs, answer: Sequence[Tensor]) -> Step:
    """The call that reads the inputs of the model's names and writes the answer's tensors."""
    binding = session.io_binding()
    for one in session.get_inputs():
        at = getattr(given, one.name).data_ptr()
        binding.bind_input(one.name, "cpu", 0, np.float32, one.shape, at)
    for one, tensor in zip(session.get_outputs(), answer, strict=True):
        binding.bind_output(one.name, "cpu", 0, np.float32, one.shape, tensor.data_ptr())
    run = partial(session.run_with_iobinding, binding)

    def call() -> Tensors:
        run()
        return answer

    return call
