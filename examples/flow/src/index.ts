export { watchApp } from "./app.js"
export type { Memory } from "./app-steps.js"
export { type Carried, type Check, cut, type Lane, lanes, type Step, type Tell } from "./step.js"
