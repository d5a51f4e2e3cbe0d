// The parts that several rooms of this wing share.
export * from './recent.ts';
