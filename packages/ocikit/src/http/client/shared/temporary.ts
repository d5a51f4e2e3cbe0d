// Which answers and faults may pass, so that the same request can succeed later.

/**
 * RFC 9110 and RFC 6585: the statuses that speak of a moment, and a proxy's 499. All others of 400 to 499 are final.
 */
const temporaryStatuses = new Set([408, 425, 429, 499]);
const permanentStatuses = new Set([501, 505, 511]);

/** Whether a request that was answered with this status may be answered otherwise if it is sent again. */
export function isTemporaryStatus(status: number): boolean {
  return temporaryStatuses.has(status) || (status >= 500 && !permanentStatuses.has(status));
}

/** Faults that no second attempt cures: a wrong certificate, protocol or name. */
const permanentFault = /CERT|SIGNATURE|SELF_SIGNED|ERR_TLS|ERR_SSL|EPROTO|ENOTFOUND|ERR_INVALID/;

/** Whether a connection that failed with this error may succeed if it is tried again. */
export function isTemporaryFault(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    if ('code' in at && typeof at.code === 'string' && permanentFault.test(at.code)) return false;
  }
  return true;
}
