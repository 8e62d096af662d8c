// Whether dimension 0 of a graph's inputs stands for the batch or for a size.
#pragma once

#include "model/graph/graph.h"

namespace halfwave {

// Opens a batch that the file fixes: if dimension 0 of every input is the same size, it becomes kBatch, and the size
// goes to graph.fixed_batch, for shape inference to recognise where constants repeat it. Returns whether it did so.
bool OpenBatch(Graph& graph);

// The opposite, for a model that does not keep the rows of a batch apart: dimension 0 becomes the size that the file
// fixed, or 1 where the file left it open.
void CloseBatch(Graph& graph);

// The shape that clients see for a value inside a graph: one row of it, behind an open batch.
Shape ShapeWithBatch(const Shape& shape);

}  // namespace halfwave
