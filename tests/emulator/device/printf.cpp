#include "printf.h"

#include <stdio.h>
#include <string.h>

#include <string>

#include "memory.h"

struct Arguments {  // laid out one after the other, each at a multiple of its size
    const char* at;
    size_t offset = 0;

    template <class T> T next() {
        offset = (offset + sizeof(T) - 1) / sizeof(T) * sizeof(T);
        T value;
        memcpy(&value, at + offset, sizeof(T));
        offset += sizeof(T);
        return value;
    }
};

static std::string one(const std::string& conversion, Arguments& a) {
    char text[512], kind = conversion.back();
    const char* c = conversion.c_str();
    if (strchr("fFeEgGaA", kind)) snprintf(text, sizeof text, c, a.next<double>());
    else if (kind == 's') snprintf(text, sizeof text, c, on_host(a.next<u64>()));
    else if (kind == 'p' || conversion.find('l') != std::string::npos) snprintf(text, sizeof text, c, a.next<u64>());
    else snprintf(text, sizeof text, c, a.next<int>());
    return text;
}

int device_printf(Thread*, u64 format, u64 arguments) {
    Arguments a{on_host(arguments)};
    std::string out;
    int count = 0;
    for (const char* f = on_host(format); *f; ++f) {
        if (*f != '%' || f[1] == '%') {
            out += *f;
            f += *f == '%';
            continue;
        }
        std::string conversion(f, strcspn(f, "diouxXcspfFeEgGaA") + 1);
        f += conversion.size() - 1;
        out += one(conversion, a);
        ++count;
    }
    fputs(out.c_str(), stdout);
    fflush(stdout);
    return count;
}
