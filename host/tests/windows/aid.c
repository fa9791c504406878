/* What the tests need of Windows and no program of Linux can do:
 *
 *   aid hold SHARE FILE UNTIL             has FILE open, sharing what SHARE says (r, w, d or -), until UNTIL exists
 *   aid press KEY UNTIL PROGRAM ...       runs PROGRAM on a console of its own, and presses Ctrl+C (c) or Ctrl+Break (b)
 *                                         there once UNTIL exists, as NSSM does; ends as PROGRAM does
 *   aid replace FROM TO                   puts FROM in the place of TO, which may be open
 *   aid tell SERVICE CODE                 sends a service a control code */
#include <windows.h>
#include <winsvc.h>
#include <stdio.h>
#include <wchar.h>

static int failed(const char *what) {
    fprintf(stderr, "aid: %s: error %lu\n", what, GetLastError());
    return 99;
}

static void wait_for(const wchar_t *file) {
    while (GetFileAttributesW(file) == INVALID_FILE_ATTRIBUTES) Sleep(20);
}

static int hold(const wchar_t *share, const wchar_t *file, const wchar_t *until) {
    DWORD shared = (wcschr(share, 'r') ? FILE_SHARE_READ : 0) | (wcschr(share, 'w') ? FILE_SHARE_WRITE : 0)
        | (wcschr(share, 'd') ? FILE_SHARE_DELETE : 0);
    HANDLE held = CreateFileW(file, GENERIC_READ, shared, NULL, OPEN_EXISTING, 0, NULL);
    if (held == INVALID_HANDLE_VALUE) return failed("open");
    puts("held");
    fflush(stdout);
    wait_for(until);
    return 0;
}

/* The rest of the command line, as it was written, after so many words without blanks in them. */
static wchar_t *rest(int words) {
    wchar_t *at = GetCommandLineW();
    while (words-- > 0) {
        wchar_t end = *at == '"' ? '"' : ' ';
        if (end == '"') at++;
        while (*at && *at != end) at++;
        while (*at == '"' || *at == ' ') at++;
        if (words == 0 && at[-1] == '"') at--;
    }
    return at;
}

/* As the console of Windows does: a thread in the process that calls its handlers. Wine's console knows Ctrl+C alone. */
static BOOL break_in(HANDLE process) {
    FARPROC routine = GetProcAddress(GetModuleHandleW(L"kernelbase.dll"), "CtrlRoutine");
    return routine
        && CreateRemoteThread(process, NULL, 0, (LPTHREAD_START_ROUTINE)(void *)routine, (void *)CTRL_BREAK_EVENT, 0, NULL);
}

static int press(const wchar_t *key, const wchar_t *until) {
    STARTUPINFOW start = {sizeof start};
    PROCESS_INFORMATION started;
    DWORD code;
    start.dwFlags = STARTF_USESTDHANDLES;
    start.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    start.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    if (!CreateProcessW(NULL, rest(4), NULL, NULL, TRUE, CREATE_NO_WINDOW, NULL, NULL, &start, &started))
        return failed("start");
    wait_for(until);
    if (*key == 'b') {
        if (!break_in(started.hProcess)) return failed("press");
    } else {
        FreeConsole();
        if (!AttachConsole(started.dwProcessId)) return failed("attach");
        SetConsoleCtrlHandler(NULL, TRUE);
        if (!GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0)) return failed("press");
    }
    WaitForSingleObject(started.hProcess, INFINITE);
    GetExitCodeProcess(started.hProcess, &code);
    return (int)code;
}

static int replace(const wchar_t *from, const wchar_t *to) {
    return MoveFileExW(from, to, MOVEFILE_REPLACE_EXISTING) ? 0 : failed("replace");
}

static int tell(const wchar_t *service, DWORD code) {
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE told = OpenServiceW(manager, service, SERVICE_ALL_ACCESS);
    SERVICE_STATUS status;
    return told && ControlService(told, code, &status) ? 0 : failed("tell");
}

int wmain(int count, wchar_t **words) {
    if (count == 5 && !wcscmp(words[1], L"hold")) return hold(words[2], words[3], words[4]);
    if (count > 4 && !wcscmp(words[1], L"press")) return press(words[2], words[3]);
    if (count == 4 && !wcscmp(words[1], L"replace")) return replace(words[2], words[3]);
    if (count == 4 && !wcscmp(words[1], L"tell")) return tell(words[2], (DWORD)_wtoi(words[3]));
    return failed("usage");
}
