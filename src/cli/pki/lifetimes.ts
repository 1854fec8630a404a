/** How long what the own CA signs is valid, unless the operator says otherwise. */

export const DAY_MS = 86_400_000;
export const DEFAULT_DAYS = 90;
export const DEFAULT_CRL_DAYS = 30;
