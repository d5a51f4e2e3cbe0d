// The API of the distribution specification: one file per resource, and what the resources share.
export { handlerFor, methodsOf } from './resources.ts';
