// settings.h: what the environment asks for, read once, and how the device speaks.
#pragma once
#include <string>

enum class Order { forward, backward, shuffled };

struct Settings {
    bool lagging;         // EMULATOR_LAGGING=1: nothing on a stream runs before somebody waits for it
    bool latest;          // EMULATOR_LATEST=1: a graph's nodes run in the latest order that dependencies allow
    bool races;           // EMULATOR_RACES=1: look for races, and for reads of memory that nobody wrote
    bool trace;           // EMULATOR_TRACE=1: say what is called
    Order order;          // EMULATOR_ORDER=backward or random: of blocks, warps and threads
    size_t memory;        // EMULATOR_MEMORY=64: bytes on the card, given in MiB
    int capability;       // EMULATOR_CAPABILITY=75: the card's compute capability, 90 unless told
    std::string kernels;  // EMULATOR_KERNELS: the folder of compiled kernels
    std::string compile;  // EMULATOR_COMPILE: the command that compiles kernels; `run` sets both
};
const Settings& settings();

extern int terminal;  // a copy of standard error, for pytest takes the first one away
[[noreturn]] void die(const std::string& what);  // the process ends
void say(const std::string& what);
void trace(const char* format, ...) __attribute__((format(printf, 1, 2)));
std::string print(const char* format, ...) __attribute__((format(printf, 1, 2)));
