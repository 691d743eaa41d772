// streams.h: work in order.  Unless EMULATOR_LAGGING is on, work is done as soon as it is given to a stream.
#pragma once
#include <cuda_runtime_api.h>

#include <deque>
#include <functional>
#include <set>
#include <string>
#include <vector>

typedef std::function<void()> Work;

struct Node {
    std::string name;
    Work run;
    std::vector<int> after;  // the nodes it has to follow
};
struct Graph {
    std::vector<Node> nodes;
};

struct Stream;
struct Capture {
    Stream* origin;
    cudaStreamCaptureMode mode;
    std::set<Stream*> streams;
    Graph graph;
    bool invalid = false;
};

struct Stream {
    unsigned flags = 0;
    int priority = 0;
    Capture* capture = nullptr;
    std::vector<int> tails;  // of a capture: the nodes that the next one has to follow
    std::deque<Work> waiting;
    uint64_t given = 0, done = 0;
    bool busy = false;

    bool blocking() const { return !(flags & cudaStreamNonBlocking); }  // with the legacy stream, that is
    void run_until(uint64_t number);
    void run_all() { run_until(given); }
};

struct Event {
    unsigned flags = 0;
    Capture* capture = nullptr;  // recorded in it, and it has not ended
    std::vector<int> tails;
    Stream* stream = nullptr;
    uint64_t number = 0;         // of the stream's work that it follows
    bool recorded = false;
    bool valid = true;           // false once its capture has ended
    double time = 0;
};

extern Stream legacy;                // stream 0, which waits for all blocking ones
Stream* find(cudaStream_t);          // null where it does not exist
bool exists(const Stream*);
bool exists(const Event*);
void run_everything();

std::set<Capture*>& captures();
Capture* capture_of_a_blocking_stream();
cudaError_t refuse_while_capturing(const char* where);  // what is unsafe then ends the capture; else cudaSuccess

cudaError_t enqueue(cudaStream_t, const std::string& name, Work, const char* where);  // or capture it
cudaError_t wait_for(cudaStream_t, const char* where);

void forget_events_of(const Capture*);  // it has ended
void forget_events_of(const Stream*);   // it is destroyed
