#include "settings.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static std::string text(const char* name, const char* otherwise = "") {
    const char* value = getenv(name);
    return value && *value ? value : otherwise;
}

static bool is_on(const char* name) {
    return text(name, "0") != "0";
}

static Order read_order() {
    std::string name = text("EMULATOR_ORDER", "forward");
    if (name == "forward") return Order::forward;
    if (name == "backward") return Order::backward;
    if (name == "random") return Order::shuffled;
    die("EMULATOR_ORDER=" + name + ", expected forward, backward or random");
}

static size_t number(const char* name, const char* otherwise) {
    std::string value = text(name, otherwise);
    if (value.find_first_not_of("0123456789") != std::string::npos)
        die(std::string(name) + "=" + value + ", expected a number");
    return strtoull(value.c_str(), nullptr, 10);
}

const Settings& settings() {
    static const Settings read = {
        is_on("EMULATOR_LAGGING"), is_on("EMULATOR_LATEST"),
        is_on("EMULATOR_RACES"),   is_on("EMULATOR_TRACE"),
        read_order(),              number("EMULATOR_MEMORY", "8192") << 20,
        (int)number("EMULATOR_CAPABILITY", "90"),
        text("EMULATOR_KERNELS"),  text("EMULATOR_COMPILE"),
    };
    return read;
}

int terminal = 2;

__attribute__((constructor)) static void keep_the_terminal() {
    int copy = fcntl(2, F_DUPFD_CLOEXEC, 100);
    if (copy >= 0) terminal = copy;
}

void say(const std::string& what) {
    dprintf(terminal, "emulator: %s\n", what.c_str());
}

void die(const std::string& what) {
    dprintf(terminal, "\nemulator: %s\n", what.c_str());
    abort();
}

static std::string formatted(const char* format, va_list arguments) {
    char line[1000];
    vsnprintf(line, sizeof line, format, arguments);
    return line;
}

std::string print(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::string line = formatted(format, arguments);
    va_end(arguments);
    return line;
}

void trace(const char* format, ...) {
    if (!settings().trace) return;
    va_list arguments;
    va_start(arguments, format);
    say(formatted(format, arguments));
    va_end(arguments);
}
