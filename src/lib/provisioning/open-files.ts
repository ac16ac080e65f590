const USUAL_OPEN_FILES = 1_024;

/** How many files this process may have open, sockets among them; 1,024 where the system does not say. */
export function openFilesLimit(): number {
  // Otherwise the report looks up the names of open connections. The types do not know it yet.
  Object.assign(process.report, { excludeNetwork: true });
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } };
  const soft = userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : soft === 'unlimited' ? Infinity : USUAL_OPEN_FILES;
}
