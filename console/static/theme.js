// Before the first paint, so that a chosen theme does not flash: the console itself starts later.
try {
  document.documentElement.dataset.theme = localStorage.getItem('ralex-theme') || 'system';
} catch {
  // A browser without storage shows the system's theme.
}
