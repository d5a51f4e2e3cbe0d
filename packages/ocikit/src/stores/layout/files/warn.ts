/** Told of what is odd but no reason to stop. */
export type Warn = (message: string, fields: Readonly<Record<string, unknown>>) => void;
