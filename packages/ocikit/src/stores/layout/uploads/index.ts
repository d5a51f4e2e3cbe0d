export { FileStage, restoreUpload } from './file-stage.ts';
export { inLargePieces, largePiece } from './large-pieces.ts';
export { UploadSweeps } from './upload-sweeps.ts';
