/** Where the person is: files are named as seen from there. Taken before the program moves to the project folder. */
export const callerDir = process.cwd();

/** Exit codes: 0 done, 1 the operation failed, 2 wrong usage. */
export const FAILED = 1;
export const WRONG_USAGE = 2;
