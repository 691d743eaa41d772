// Capture: work that is written down instead of done; graphs: doing it, as often as one likes.
#include <stdio.h>

#include <memory>

#include "api.h"
#include "settings.h"
#include "streams.h"

static std::set<Graph*> graphs, executables;

API cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
    LOCK;
    Stream* s = find(handle);
    if (!s) FAIL(cudaErrorInvalidResourceHandle);
    if (s == &legacy && capture_of_a_blocking_stream()) FAIL(cudaErrorStreamCaptureImplicit);
    if (!s->capture) *status = cudaStreamCaptureStatusNone;
    else *status = s->capture->invalid ? cudaStreamCaptureStatusInvalidated : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

API cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
    *mode = cudaStreamCaptureModeGlobal;
    return cudaSuccess;
}

API cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
    LOCK;
    trace("a capture begins");
    Stream* s = find(handle);
    if (!s) FAIL(cudaErrorInvalidResourceHandle);
    if (s == &legacy) FAIL(cudaErrorStreamCaptureUnsupported);
    if (s->capture) FAIL(cudaErrorIllegalState);
    s->capture = new Capture{s, mode, {s}, {}};
    s->tails.clear();
    captures().insert(s->capture);
    return cudaSuccess;
}

static size_t count_ancestors(const Graph& graph, std::vector<int> waiting) {  // themselves included
    std::set<int> seen;
    while (!waiting.empty()) {
        int i = waiting.back();
        waiting.pop_back();
        if (!seen.insert(i).second) continue;
        for (int before : graph.nodes[i].after) waiting.push_back(before);
    }
    return seen.size();
}

API cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* out) {
    LOCK;
    *out = nullptr;
    Stream* s = find(handle);
    if (!s) FAIL(cudaErrorInvalidResourceHandle);
    if (!s->capture) FAIL(cudaErrorIllegalState);
    if (s->capture->origin != s) FAIL(cudaErrorStreamCaptureUnmatched);
    std::unique_ptr<Capture> c(s->capture);
    bool joined = count_ancestors(c->graph, s->tails) == c->graph.nodes.size();
    for (Stream* each : c->streams) each->capture = nullptr, each->tails.clear();
    forget_events_of(c.get());
    captures().erase(c.get());
    trace("a capture ends with %zu nodes", c->graph.nodes.size());
    if (c->invalid) FAIL(cudaErrorStreamCaptureInvalidated);
    if (!joined) FAIL(cudaErrorStreamCaptureUnjoined);
    Graph* graph = new Graph(std::move(c->graph));
    graphs.insert(graph);
    *out = (cudaGraph_t)graph;
    return cudaSuccess;
}

API cudaError_t cudaGraphDestroy(cudaGraph_t handle) {
    LOCK;
    if (cudaError_t error = refuse_while_capturing(__func__)) return error;
    if (!graphs.erase((Graph*)handle)) FAIL(cudaErrorInvalidValue);
    delete (Graph*)handle;
    return cudaSuccess;
}

API cudaError_t cudaGraphInstantiate(cudaGraphExec_t* out, cudaGraph_t handle, unsigned long long) {
    LOCK;
    if (!graphs.count((Graph*)handle)) FAIL(cudaErrorInvalidValue);
    Graph* copy = new Graph(*(Graph*)handle);
    executables.insert(copy);
    *out = (cudaGraphExec_t)copy;
    return cudaSuccess;
}

API cudaError_t cudaGraphExecDestroy(cudaGraphExec_t handle) {
    LOCK;
    if (cudaError_t error = refuse_while_capturing(__func__)) return error;
    if (!executables.count((Graph*)handle)) FAIL(cudaErrorInvalidValue);
    run_everything();  // launches of it may still be waiting
    executables.erase((Graph*)handle);
    delete (Graph*)handle;
    return cudaSuccess;
}

API cudaError_t cudaGraphUpload(cudaGraphExec_t handle, cudaStream_t) {
    LOCK;
    if (!executables.count((Graph*)handle)) FAIL(cudaErrorInvalidValue);
    return cudaSuccess;
}

static bool is_ready(const Node& node, const std::vector<bool>& done) {
    for (int before : node.after)
        if (!done[before]) return false;
    return true;
}

static void run_latest_first(const Graph& graph) {
    std::vector<bool> done(graph.nodes.size());
    for (size_t left = done.size(); left; --left) {
        size_t i = done.size() - 1;
        while (done[i] || !is_ready(graph.nodes[i], done)) --i;
        graph.nodes[i].run();
        done[i] = true;
    }
}

API cudaError_t cudaGraphLaunch(cudaGraphExec_t handle, cudaStream_t stream) {
    LOCK;
    const Graph* graph = (Graph*)handle;
    if (!executables.count((Graph*)graph)) FAIL(cudaErrorInvalidValue);
    Stream* s = find(stream);
    if (s && s->capture) die("not emulated: a graph launched within a capture (a child graph)");
    Work run = [graph] {
        if (settings().latest) return run_latest_first(*graph);
        for (const Node& node : graph->nodes) node.run();
    };
    return enqueue(stream, "graph", run, __func__);
}

API cudaError_t cudaGraphDebugDotPrint(cudaGraph_t handle, const char* path, unsigned) {
    LOCK;
    FILE* file = fopen(path, "w");
    if (!file) FAIL(cudaErrorInvalidValue);
    fprintf(file, "digraph dot {\nsubgraph cluster_1 {\nlabel=\"graph_1\" graph[style=\"dashed\"];\n");
    const auto& nodes = ((Graph*)handle)->nodes;
    for (size_t i = 0; i < nodes.size(); ++i) {
        fprintf(file, "\"graph_1_node_%zu\"[label=\"%s\"];\n", i, nodes[i].name.c_str());
        for (int before : nodes[i].after) fprintf(file, "\"graph_1_node_%d\" -> \"graph_1_node_%zu\";\n", before, i);
    }
    fprintf(file, "}\n}\n");
    fclose(file);
    return cudaSuccess;
}
