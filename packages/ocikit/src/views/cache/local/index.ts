export { withLocal } from './with-local.ts';
