"""One prediction with Triton's own client library, which knows nothing of Halfwave.

    pip install tritonclient[grpc]
    python3 predict_triton.py --model digits 0 0 0.4 0.9 ...

The values are one row, in the order of the model's input; without any, a row of zeros is sent.
"""
import argparse
import sys

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException, triton_to_np_dtype


def one_row(values, shape, datatype):
    size = int(np.prod(shape))
    if values and len(values) != size:
        sys.exit(f"expected {size} values, found {len(values)}")
    return np.array(values or [0] * size, dtype=triton_to_np_dtype(datatype)).reshape(shape)


def find_scores(outputs):
    """The first floating output with more than one value a row; a label may stand before it."""
    for output in outputs:
        if output.datatype.startswith("FP") and len(output.shape) > 1 and output.shape[-1] != 1:
            return output
    sys.exit("the model has no output of several numbers a row")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="localhost:8001")
    parser.add_argument("--model", default="digits")
    parser.add_argument("--deadline", type=float, default=10, help="seconds")
    parser.add_argument("value", type=float, nargs="*")
    options = parser.parse_args()

    client = triton.InferenceServerClient(options.server)
    try:
        model = client.get_model_metadata(options.model, client_timeout=options.deadline)
        tensor, output = model.inputs[0], find_scores(model.outputs)
        shape = [1, *tensor.shape[1:]]  # one row
        row = one_row(options.value, shape, tensor.datatype)

        batch = triton.InferInput(tensor.name, shape, tensor.datatype)
        batch.set_data_from_numpy(row)
        result = client.infer(options.model, [batch], client_timeout=options.deadline)
    except InferenceServerException as error:
        sys.exit(f"{error.status()}: {error.message()}")

    scores = result.as_numpy(output.name)[0]
    for index in np.argsort(-scores)[:5]:
        print(f"{index}\t{scores[index]:.4f}")


if __name__ == "__main__":
    main()
