export { Fills } from './fills.ts';
