#include "model/graph/rewrite.h"

#include "model/graph/drop_dead_branches.h"
#include "model/graph/drop_no_ops.h"
#include "model/graph/fold_batch_norm.h"
#include "model/graph/fold_bias.h"
#include "model/graph/merge_relus.h"
#include "model/graph/relu_after_max_pool.h"

namespace halfwave {

void RewriteGraph(Graph& graph) {
  constexpr int kMaxRounds = 4;
  DropDeadBranches(graph);  // what they read would otherwise have two readers
  size_t before = 0;
  for (int round = 0; round < kMaxRounds; ++round) {
    before = graph.rewrites.size();
    DropNoOps(graph);
    FoldBias(graph);  // first, so that a MatMul and its Add are one when a normalisation follows
    FoldBatchNorm(graph);
    MergeRelus(graph);
    ReluAfterMaxPool(graph);
    if (graph.rewrites.size() == before) break;
  }
  DropDeadBranches(graph);
}

}  // namespace halfwave
