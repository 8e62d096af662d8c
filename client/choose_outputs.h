// Which of a model's outputs are the answer. Works on the metadata of outputs and on outputs themselves.
#pragma once

#include <cstdint>

#include "proto/tensor_values.h"

namespace halfwave::client {

struct ChosenOutputs {
  int scores = -1;  // per row one value a class; -1: none
  int labels = -1;  // per row the class itself, as the model names it; -1: none
};

// Does the tensor hold more than one value a row? A size left open counts as more.
template <typename Tensor>
bool HasSeveralPerRow(const Tensor& tensor) {
  for (int i = 1; i < tensor.shape_size(); ++i) {
    if (tensor.shape(i) != 1) return true;
  }
  return false;
}

// Scores are the first floating output with more than one value a row, else the first floating one; labels the first
// integer or string with one value a row. A model without either is taken by its first output of numbers.
template <typename Tensors>
ChosenOutputs ChooseOutputs(const Tensors& outputs) {
  ChosenOutputs chosen;
  int single = -1;
  int numbers = -1;
  for (int i = 0; i < outputs.size(); ++i) {
    const ValueType* type = FindValueType(outputs[i].datatype());
    if (type == nullptr) continue;
    const bool several = HasSeveralPerRow(outputs[i]);
    if (type->kind == ValueType::Kind::kFloat) {
      int& first = several ? chosen.scores : single;
      if (first < 0) first = i;
    } else if (!several && chosen.labels < 0) {
      chosen.labels = i;
    } else if (type->kind == ValueType::Kind::kInteger && numbers < 0) {
      numbers = i;
    }
  }
  if (chosen.scores < 0) chosen.scores = single;
  if (chosen.scores < 0 && chosen.labels < 0) chosen.scores = numbers;
  return chosen;
}

}  // namespace halfwave::client
