import { ElMessage } from "element-plus";
import "element-plus/es/components/message/style/css";

/** Tells that a deed is done, for a moment. Faults stay where they happened and are not told here. */
export const say = (message: string) => ElMessage({ type: "success", message, duration: 4000 });
