//! Names of variables that mean something to bash or to programs: one list for the lines here, and for the daemon, which asks
//! in what environment a line answers at all.

/// Whose values bash makes itself, whatever it is given.
pub const MADE_BY_BASH: [&str; 21] = [
    "_",
    "IFS",
    "RANDOM",
    "SRANDOM",
    "SECONDS",
    "LINENO",
    "UID",
    "EUID",
    "PPID",
    "HOSTNAME",
    "HOSTTYPE",
    "MACHTYPE",
    "OSTYPE",
    "SHELL",
    "SHLVL",
    "OPTIND",
    "OPTARG",
    "OPTERR",
    "PIPESTATUS",
    "GROUPS",
    "LINES",
];

/// At which the shell or programs of several kinds look, wherever they are set.
pub const HEEDED: [&str; 12] = [
    "CDPATH",
    "ENV",
    "GLOBIGNORE",
    "GLOBSORT",
    "LANGUAGE",
    "POSIXLY_CORRECT",
    "BLOCKSIZE",
    "BLOCK_SIZE",
    "TIME_STYLE",
    "QUOTING_STYLE",
    "TABSIZE",
    "CHARSET",
];
