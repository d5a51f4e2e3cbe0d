export { handlerFor, methodsOf } from './resources.ts';
