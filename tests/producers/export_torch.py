"""Trains small networks in PyTorch and exports them: export_torch.py FOLDER"""
import pathlib
import sys
import warnings

import torch
from torch import nn

import exported

FOLDER = pathlib.Path(sys.argv[1])


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 16), nn.ReLU(),
                         nn.Linear(16, 10), nn.Softmax(1))


def cnn():
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(8, 16, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Dropout(), nn.Linear(16, 32),
                         nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10), nn.Softmax(1))


def convolution(inputs, outputs, size, stride=1, groups=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
                         nn.BatchNorm2d(outputs), nn.ReLU6())


class Residual(nn.Module):
    """The building stones of ResNet, MobileNet and DenseNet in one."""

    def __init__(self):
        super().__init__()
        self.stem = convolution(1, 8, 3)
        self.inside = nn.Sequential(convolution(8, 16, 1), convolution(16, 16, 3, groups=16), nn.Conv2d(16, 8, 1))
        self.down = convolution(8, 8, 3, stride=2)
        self.beside = nn.Conv2d(8, 4, 1, stride=2)
        self.head = nn.Linear(12, 10)

    def forward(self, x):
        x = self.stem(x)
        x = torch.relu(x + self.inside(x))
        x = torch.cat([self.down(x), self.beside(x)], 1)
        return self.head(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


class View(nn.Module):
    """As in PyTorch's examples: the shape is computed from the batch."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(1, 8, 3)
        self.hidden, self.last = nn.Linear(72, 32), nn.Linear(32, 10)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.convolution(x)), 2)
        x = torch.relu(self.hidden(x.view(x.size(0), -1)))
        return nn.functional.log_softmax(self.last(x), dim=1)


class Labelled(nn.Module):
    """Answers the label as well."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        probabilities = self.network(x)
        return torch.argmax(probabilities, 1), probabilities


def train(network, rows, digits):
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(40):
        optimizer.zero_grad()
        answers = network(rows)
        if isinstance(network[-1] if isinstance(network, nn.Sequential) else None, nn.Softmax):
            answers = torch.log(answers + 1e-9)
        nn.functional.cross_entropy(answers, digits).backward()
        optimizer.step()
    return network.eval()


def export(name, network, rows, outputs, opset, batch=None):
    """Of a free batch size, or of a fixed one."""
    rows = torch.from_numpy(exported.sample(rows.numpy()))
    with torch.no_grad():
        answers = network(rows)
    answers = answers if isinstance(answers, tuple) else (answers,)
    free = {tensor: {0: "batch"} for tensor in ["image", *outputs]} if batch is None else None
    torch.onnx.export(network, rows[:batch or 2], str(FOLDER / f"{name}.onnx"), input_names=["image"],
                      output_names=outputs, dynamic_axes=free, opset_version=opset)
    exported.leave(FOLDER, name, {"image": rows.numpy()},
                   {tensor: answer.numpy() for tensor, answer in zip(outputs, answers)})


def main():
    warnings.filterwarnings("ignore")
    torch.manual_seed(3)
    torch.set_num_threads(1)
    rows, digits = (torch.from_numpy(array) for array in exported.digits())
    rows = rows.reshape(-1, 1, 8, 8)
    dense, convolutional = train(mlp(), rows, digits), train(cnn(), rows, digits)
    export("torch_mlp", dense, rows, ["probabilities"], 13)
    export("torch_cnn_opset9", convolutional, rows, ["probabilities"], 9)
    export("torch_cnn_opset17", convolutional, rows, ["probabilities"], 17)
    export("torch_label", Labelled(dense), rows, ["label", "probabilities"], 13)
    export("torch_residual", train(Residual(), rows, digits), rows, ["logits"], 13)
    view = train(View(), rows, digits)
    export("torch_view", view, rows, ["log_probabilities"], 13)
    export("torch_view_batch1", view, rows, ["log_probabilities"], 13, batch=1)
    print("torch", torch.__version__)


main()
