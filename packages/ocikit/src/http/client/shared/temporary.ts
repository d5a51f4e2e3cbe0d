// Faults of connections that may pass, so that the same request can succeed later.

/** Faults that no second attempt cures: a wrong certificate, protocol or name. */
const permanentFault = /CERT|SIGNATURE|SELF_SIGNED|ERR_TLS|ERR_SSL|EPROTO|ENOTFOUND|ERR_INVALID/;

/** Whether a connection that failed with this error may succeed if it is tried again. */
export function isTemporaryFault(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    if ('code' in at && typeof at.code === 'string' && permanentFault.test(at.code)) return false;
  }
  return true;
}
