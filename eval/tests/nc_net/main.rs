//! NC-Net and the convolution it is made of.

mod conv4d;
mod laws;
mod learning;
mod naive;
