// The driver's modules: PTX becomes C, gcc compiles it, and its functions are kernels.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "api.h"
#include "kernels.h"
#include "memory.h"
#include "races.h"
#include "settings.h"
#include "streams.h"

enum Result { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_IMAGE = 200, FILE_NOT_FOUND = 301,
              INVALID_HANDLE = 400, NOT_FOUND = 500 };

static const int REGISTERS = 32;  // said of each kernel: what a real assembler makes of it is not known here
static const unsigned SHARED = 49152, SHARED_OPT_IN = 232448, SHARED_OF_ALL = 233472;

struct Function {
    const KernelInfo* info;
    unsigned max_dynamic = 0;  // 0: not set
};
struct Global {
    uint64_t address;
    size_t size;
};
struct Module {
    std::map<std::string, Function*> functions;
    std::map<std::string, Global> globals;
    uint64_t variables = 0;  // where they are
};
static std::set<Module*> modules;
static std::set<Function*> functions;

// ------------------------------------------------------------------ compiling

static std::string hashed(const std::string& text) {  // FNV-1a, twice
    uint64_t a = 0xcbf29ce484222325, b = 0x84222325cbf29ce4;
    for (unsigned char c : text) a = (a ^ c) * 0x100000001b3, b = (b ^ c) * 0x10000000233;
    return print("%016lx%016lx", a, b);
}

static void write_file(const std::string& path, const std::string& text) {
    FILE* file = fopen(path.c_str(), "wb");
    if (!file || fwrite(text.data(), 1, text.size(), file) != text.size() || fclose(file)) die("cannot write " + path);
}

// The shared object of a PTX text, from the folder of compiled kernels or made now.
static std::string compiled(const std::string& ptx) {
    if (settings().kernels.empty()) die("EMULATOR_KERNELS is not set; start with tests/emulator/run");
    bool races = settings().races;
    std::string base = settings().kernels + (races ? "/races/" : "/plain/") + hashed(ptx), object = base + ".so";
    if (access(object.c_str(), R_OK) == 0) return object;
    std::string draft = print("%s.%d", base.c_str(), getpid());  // two processes may compile the same
    write_file(draft + ".ptx", ptx);
    std::string command = settings().compile + " " + draft + (races ? " -DRACES" : "");
    if (system(command.c_str())) die("cannot compile " + draft + ".ptx");
    for (const char* end : {".ptx", ".c", ".so"}) rename((draft + end).c_str(), (base + end).c_str());
    return object;
}

// A module's variables lie in one allocation: CUB's headers bring hundreds of them along.
static bool place(const GlobalInfo* globals, Module& m) {
    auto rounded = [](size_t size) { return (size + 15) / 16 * 16; };
    size_t total = 0;
    for (auto g = globals; g->name; ++g) total += rounded(g->size);
    if (!total) return true;
    if (!is_allocated((void*)*globals->address)) *globals->address = allocate(total);
    uint64_t at = m.variables = *globals->address;
    if (!at) return false;
    for (auto g = globals; g->name; at += rounded(g->size), ++g) {
        *g->address = at;
        m.globals[g->name] = {at, g->size};
        if (g->initial) memcpy(on_host(at), g->initial, g->size);
        else memset(on_host(at), 0, g->size);
        mark_written(at, g->size);
    }
    return true;
}

template <class T> static T* list(void* object, const char* name) {
    T* found = (T*)dlsym(object, name);
    if (!found) die(print("a compiled kernel without %s; empty %s", name, settings().kernels.c_str()));
    return found;
}

API int cuModuleLoadData(Module** out, const void* image) {
    LOCK;
    if (!memcmp(image, "\x7f" "ELF", 4)) die("CuPy hands over machine code; start with tests/emulator/run");
    std::string ptx = (const char*)image;
    if (ptx.find(".version") == std::string::npos) return INVALID_IMAGE;
    void* object = dlopen(compiled(ptx).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!object) die(dlerror());
    Module* m = new Module;
    if (!place(list<const GlobalInfo>(object, "globals"), *m)) return OUT_OF_MEMORY;
    for (auto k = list<const KernelInfo>(object, "kernels"); k->name; ++k) {
        m->functions[k->name] = new Function{k};
        functions.insert(m->functions[k->name]);
    }
    modules.insert(m);
    *out = m;
    return SUCCESS;
}

API int cuModuleLoadDataEx(Module** out, const void* image, unsigned, void*, void**) {
    return cuModuleLoadData(out, image);
}

API int cuModuleLoad(Module** out, const char* path) {
    FILE* file = fopen(path, "rb");
    if (!file) return FILE_NOT_FOUND;
    std::string text;
    for (int c; (c = fgetc(file)) != EOF;) text += (char)c;
    fclose(file);
    return cuModuleLoadData(out, text.c_str());
}

API int cuModuleUnload(Module* m) {
    LOCK;
    if (!modules.erase(m)) return INVALID_HANDLE;
    run_everything();
    bool shared = false;  // the same text loaded twice is one object, and shares its variables here
    for (Module* other : modules) shared |= other->variables == m->variables;
    if (!shared) release(m->variables);
    return SUCCESS;  // its functions stay: a graph may hold them
}

API int cuModuleGetFunction(Function** out, Module* m, const char* name) {
    LOCK;
    if (!modules.count(m)) return INVALID_HANDLE;
    auto found = m->functions.find(name);
    if (found == m->functions.end()) return NOT_FOUND;
    *out = found->second;
    return SUCCESS;
}

API int cuModuleGetGlobal_v2(uint64_t* address, size_t* size, Module* m, const char* name) {
    LOCK;
    if (!modules.count(m)) return INVALID_HANDLE;
    auto found = m->globals.find(name);
    if (found == m->globals.end()) return NOT_FOUND;
    if (address) *address = found->second.address;
    if (size) *size = found->second.size;
    return SUCCESS;
}

// ------------------------------------------------------------------ functions

API int cuFuncGetAttribute(int* value, int attribute, Function* f) {
    LOCK;
    if (!functions.count(f)) return INVALID_HANDLE;
    const KernelInfo& k = *f->info;
    switch (attribute) {
    case 0: *value = k.max_threads ? k.max_threads : 1024; break;
    case 1: *value = k.shared; break;
    case 3: *value = k.local; break;
    case 4: *value = REGISTERS; break;
    case 5: case 6: *value = settings().capability; break;
    case 8: *value = f->max_dynamic ? f->max_dynamic : SHARED - k.shared; break;
    case 9: *value = -1; break;  // how memory is shared out between L1 and shared: as the driver likes
    default: *value = 0;
    }
    return SUCCESS;
}

API int cuFuncSetAttribute(Function* f, int attribute, int value) {
    LOCK;
    if (!functions.count(f)) return INVALID_HANDLE;
    if (attribute == 9) return SUCCESS;
    if (attribute != 8 || value < 0 || value + f->info->shared > SHARED_OPT_IN) return INVALID_VALUE;
    f->max_dynamic = value;
    return SUCCESS;
}

API int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Function* f, int threads, size_t dynamic) {
    LOCK;
    if (!functions.count(f) || threads < 1) return INVALID_HANDLE;
    int by_shared = SHARED_OF_ALL / (f->info->shared + dynamic + 1024);
    *blocks = std::min({2048 / threads, by_shared, 32});
    return SUCCESS;
}

static bool fits(const Function& f, dim3 grid, dim3 block, unsigned dynamic) {
    const KernelInfo& k = *f.info;
    uint64_t threads = (uint64_t)block.x * block.y * block.z;
    if (!grid.x || grid.x > 2147483647 || !grid.y || grid.y > 65535 || !grid.z || grid.z > 65535) return false;
    if (!threads || threads > (k.max_threads ? k.max_threads : 1024) || block.z > 64) return false;
    if (k.shared > SHARED) die(print("kernel %s has more than 48 KiB of static shared memory", k.name));
    return k.shared + dynamic <= SHARED || dynamic <= f.max_dynamic;
}

API int cuLaunchKernel(Function* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                       unsigned dynamic, cudaStream_t stream, void** params, void** extra) {
    LOCK;
    if (!functions.count(f)) return INVALID_HANDLE;
    if (extra) die("not emulated: cuLaunchKernel with `extra`");
    dim3 grid(gx, gy, gz), block(bx, by, bz);
    if (!fits(*f, grid, block, dynamic)) return INVALID_VALUE;
    const KernelInfo& k = *f->info;
    std::string values(k.params_size, 0);
    for (u32 i = 0; i < k.nparams; ++i) memcpy(&values[k.params[i].offset], params[i], k.params[i].size);
    return enqueue(stream, k.name, [=] { run_grid(*f->info, grid, block, dynamic, values); }, __func__);
}
