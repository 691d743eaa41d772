// CuPy's modules have the CUDA runtime linked into themselves.  This library is preloaded, sees each dlopen, and
// overwrites the first bytes of those functions with a jump to ours of the same name; of those that we do not have,
// to one that ends the process and says its name.  The same goes for the functions of CUB and Thrust that CuPy has
// compiled in.  It works because the wheel has kept its symbol tables.
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <initializer_list>
#include <set>
#include <string>

#include "api.h"
#include "settings.h"

static const size_t PAGE = 4096, JUMP = 12;  // bytes: mov rax, target; jmp rax

static void write_jump(char* at, const void* target) {
    memcpy(at, "\x48\xb8", 2);
    memcpy(at + 2, &target, 8);
    memcpy(at + 10, "\xff\xe0", 2);
}

// ------------------------------------------------------------------ functions that we do not have

extern "C" void emulator_not_emulated(const char* what);  // see library_bridge.cpp

static const void* end_that_names(const char* name) {  // code: mov rdi, name; jump
    static char *next = nullptr, *end = nullptr;
    if (end - next < 32) {
        int flags = MAP_PRIVATE | MAP_ANONYMOUS;
        next = (char*)mmap(nullptr, 16 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0);
        if (next == MAP_FAILED) die("no memory for code");
        end = next + 16 * PAGE;
    }
    char* code = next;
    next += 32;
    const char* kept = strdup(name);
    memcpy(code, "\x48\xbf", 2);
    memcpy(code + 2, &kept, 8);
    write_jump(code + 10, (void*)emulator_not_emulated);
    return code;
}

// ------------------------------------------------------------------ which functions

static bool begins(const char* text, const char* with) {
    return !strncmp(text, with, strlen(with));
}

static bool is_of_the_runtime(const char* name) {
    // tables that are right as they are
    for (auto keep : {"cudaGetErrorName", "cudaGetErrorString", "cudaRuntimeGetVersion", "cudaCreateChannelDesc"})
        if (!strcmp(name, keep)) return false;
    return begins(name, "cuda") && name[4] >= 'A' && name[4] <= 'Z';
}

static bool is_precompiled(const char* mangled) {  // _Z17cub_device_reduce...
    if (!begins(mangled, "_Z") || strstr(mangled, ".cold")) return false;
    const char* name = mangled + 2 + strspn(mangled + 2, "0123456789");
    for (const char* start : {"cub_device_", "thrust_sort", "thrust_argsort", "thrust_lexsort"})
        if (name != mangled + 2 && begins(name, start)) return true;
    return false;
}

static void* ourselves() {
    static void* handle = [] {
        Dl_info info;
        dladdr((void*)&ourselves, &info);
        auto next = (void* (*)(const char*, int))dlsym(RTLD_NEXT, "dlopen");
        return next(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    }();
    return handle;
}

static void redirect(char* at, const char* name) {
    const void* ours = dlsym(ourselves(), name);
    uintptr_t first = (uintptr_t)at & ~(PAGE - 1), end = ((uintptr_t)at + JUMP + PAGE - 1) & ~(PAGE - 1);
    mprotect((void*)first, end - first, PROT_READ | PROT_WRITE | PROT_EXEC);
    write_jump(at, ours ? ours : end_that_names(name));
    mprotect((void*)first, end - first, PROT_READ | PROT_EXEC);
}

// ------------------------------------------------------------------ the symbol table of a file

struct File {
    char* bytes = nullptr;
    size_t size = 0;

    explicit File(const char* path) {
        int file = open(path, O_RDONLY | O_CLOEXEC);
        struct stat status;
        if (file < 0 || fstat(file, &status)) return;
        void* mapped = mmap(nullptr, status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
        close(file);
        if (mapped != MAP_FAILED) bytes = (char*)mapped, size = status.st_size;
    }
    ~File() {
        if (bytes) munmap(bytes, size);
    }

    template <class F> void each_function(F f) const {  // f(name, symbol) of all that the file defines
        auto header = (const Elf64_Ehdr*)bytes;
        auto sections = (const Elf64_Shdr*)(bytes + header->e_shoff);
        for (int i = 0; i < header->e_shnum; ++i) {
            if (sections[i].sh_type != SHT_SYMTAB) continue;
            auto symbols = (const Elf64_Sym*)(bytes + sections[i].sh_offset);
            const char* names = bytes + sections[sections[i].sh_link].sh_offset;
            for (size_t k = 0; k < sections[i].sh_size / sizeof *symbols; ++k)
                if (symbols[k].st_shndx && ELF64_ST_TYPE(symbols[k].st_info) == STT_FUNC)
                    f(names + symbols[k].st_name, symbols[k]);
        }
    }
};

static void redirect_all(void* handle) {
    struct link_map* loaded;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &loaded)) return;
    File file(loaded->l_name);
    if (!file.bytes) return;
    bool has_runtime = false;
    file.each_function([&](const char* name, const Elf64_Sym&) { has_runtime |= !strcmp(name, "cudaMalloc"); });
    if (!has_runtime) return;
    int count = 0;
    file.each_function([&](const char* name, const Elf64_Sym& symbol) {
        if (symbol.st_size < JUMP || !(is_of_the_runtime(name) || is_precompiled(name))) return;
        redirect((char*)loaded->l_addr + symbol.st_value, name);
        ++count;
    });
    trace("%s: %d functions lead here", loaded->l_name, count);
}

// ------------------------------------------------------------------ dlopen

typedef void* (*Dlopen)(const char*, int);
static Dlopen next_dlopen;

__attribute__((constructor)) static void find_dlopen() {
    next_dlopen = (Dlopen)dlsym(RTLD_NEXT, "dlopen");
}

static __attribute__((noinline)) void* open_and_redirect(const char* path, int mode) {
    static std::set<std::string> done;
    void* handle = next_dlopen(path, mode);
    LOCK;
    if (handle && done.insert(path).second) redirect_all(handle);
    return handle;
}

// Both calls are jumps (-O2 sees to it), for the real dlopen looks at who called it.
API void* dlopen(const char* path, int mode) {
    if (!next_dlopen) find_dlopen();
    if (path && strstr(path, "cupy")) return open_and_redirect(path, mode);
    return next_dlopen(path, mode);
}
