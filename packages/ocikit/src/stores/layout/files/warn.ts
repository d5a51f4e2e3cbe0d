/** Called for each problem that does not stop the store. */
export type Warn = (message: string, fields: Readonly<Record<string, unknown>>) => void;
