/**
 * Packages that bring, or look for, compiled code beside their own files: they stay in node_modules, everything else
 * goes into the bundles. drizzle-orm alone, loaded file by file, takes half a second and 200 MB.
 */
export const NATIVE_PACKAGES = ['better-sqlite3', 'ssh2'];
