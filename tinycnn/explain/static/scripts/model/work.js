// work: what takes long is done in parts.  It is a generator that stops after each part and says how many products or
// sums that took, so that whoever runs it can let the page answer its reader in between.

/** All of it at once: what it comes to. */
export function finished(work) {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}
